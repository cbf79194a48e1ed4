FROM scratch
LABEL org.opencontainers.image.title="gameserver"
COPY gameserver /gameserver
USER 65534:65534
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/gameserver"]
