# Built in Debian 13 with Debian's libraries; runs as nobody in particular, on a read-only root.
FROM debian:trixie-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        gcc g++ libc6-dev cmake ninja-build pkg-config \
        librdkafka-dev librocksdb-dev libavro-dev libjansson-dev libcurl4-openssl-dev \
        libsimdjson-dev libfyaml-dev libmicrohttpd-dev libxxhash-dev libsleef-dev zlib1g-dev \
        libdeflate-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release -DWEIR_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build build/release \
    && DESTDIR=/out cmake --install build/release --strip

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates librdkafka1 librocksdb9.10 libavro24 libjansson4 libcurl4t64 \
        libsimdjson25 libfyaml0 libmicrohttpd12t64 libsleef3 zlib1g libdeflate0 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65532 -g 65532 /var/lib/weir
COPY --from=build /out/ /
# No account is needed for a numeric user; Kubernetes can check that it is not root.
USER 65532:65532
WORKDIR /var/lib/weir
# Huge pages for the heap, where the system gives them to those who ask (docs/operations.md, Memory).
ENV WEIR_STATE=/var/lib/weir WEIR_HTTP=0.0.0.0:8080 GLIBC_TUNABLES=glibc.malloc.hugetlb=1
VOLUME /var/lib/weir
EXPOSE 8080
ENTRYPOINT ["/usr/bin/weir"]
CMD ["--help"]
