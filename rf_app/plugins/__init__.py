"""What is plugged into a resident model and taken off again: LoRAs and ControlNets."""
