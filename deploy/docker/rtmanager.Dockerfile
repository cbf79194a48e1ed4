FROM scratch
LABEL org.opencontainers.image.title="rtmanager" org.opencontainers.image.description="Runtime Manager for game containers"
COPY rtmanager /rtmanager
ENV RTMANAGER_DATA_DIR=/var/lib/rtmanager
# An unprivileged user. The group of the Docker socket gives access to the engine.
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/rtmanager"]
CMD ["serve"]
