# docker build -t beck .
# docker run -d --name beck -p 8080:8080 -v beck-data:/data beck        # the first page asks for the code in: docker logs beck
# docker run --rm -v beck-demo:/data beck demo                          # fill an empty volume with the demo workspace
#
# Everything that changes is in /data, so a read-only container works too: docker run --read-only …
# Building takes about 20 minutes the first time. It needs BuildKit (the default since Docker 23) for the cache mounts.

FROM rust:1.95-bookworm AS build
COPY --from=node:20-bookworm-slim /usr/local/ /usr/local/
WORKDIR /src
ENV BECK_TOOLS=/tools CARGO_TARGET_DIR=/target

# The build tools: this layer stays until Cargo.lock or a pinned version changes.
COPY Cargo.toml Cargo.lock ./
COPY script/lib.sh script/setup script/
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    script/setup serve

# The bundle. Crates that did not change are not compiled again: the target folder outlives the build.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target,sharing=locked \
    script/bundle && \
    mkdir /beck && \
    cp /target/dx/beck/release/web/server /beck/beck && \
    cp -R /target/dx/beck/release/web/public /beck/public

FROM debian:bookworm-slim
RUN useradd --system --user-group --uid 10001 --home-dir /data --shell /usr/sbin/nologin beck && \
    mkdir /data && chown beck:beck /data && chmod 700 /data
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /beck /opt/beck
ENV PATH=/opt/beck:$PATH IP=0.0.0.0 PORT=8080 DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["beck", "health"]
ENTRYPOINT ["beck"]
CMD ["serve"]
