FROM scratch
LABEL org.opencontainers.image.title="rtmanager" org.opencontainers.image.description="Runtime Manager for game containers"
COPY rtmanager /rtmanager
ENV RTMANAGER_DATA_DIR=/var/lib/rtmanager
# A user without a name and without rights. What it needs of the Docker Engine, the
# socket's group gives it.
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/rtmanager"]
CMD ["serve"]
