# The page in a container, on the processor:
#     docker build -t instaflow-studio .
#     docker run -p 7860:7860 -v work:/data -v models:/data/models instaflow-studio
# On an NVIDIA GPU: --build-arg TORCH_INDEX=https://pypi.org/simple, whose torch brings CUDA; run with --gpus all.
FROM python:3.13-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    INSTAFLOW_HOME=/data \
    HF_HOME=/data/huggingface

RUN useradd --create-home --uid 1000 studio && install -d -o studio /data /data/models /app
WORKDIR /app

# Torch and torchvision of one build first, in the versions of the lock; the rest finds them there.
COPY requirements.txt ./
RUN grep -E '^(torch|torchvision)==' requirements.txt > torch.txt \
    && pip install --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple -r torch.txt \
    && pip install -r requirements.txt

COPY app.py LICENSE README.md pyproject.toml ./
COPY rf_app rf_app
COPY trainers trainers
COPY --chown=studio assets assets

USER 1000
EXPOSE 7860
VOLUME ["/data", "/data/models"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=4)"]
ENTRYPOINT ["python", "app.py"]
