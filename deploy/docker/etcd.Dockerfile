FROM scratch
LABEL org.opencontainers.image.title="etcd"
COPY etcd /etcd
EXPOSE 2379 2380
STOPSIGNAL SIGTERM
ENTRYPOINT ["/etcd"]
