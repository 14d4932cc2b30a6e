# docker build -t beck .
# docker run -d --name beck -p 8080:8080 -v beck:/data beck             # the first page asks for the code in: docker logs beck
#
# docker run --rm -v beck-demo:/data beck demo                          # the demo workspace in an empty volume; prints links
# docker run --rm -p 8080:8080 -v beck-demo:/data beck                  # serves it where these links lead
#
# Everything that changes is in /data, so a read-only container works too: docker run --read-only …
# Building takes about 20 minutes the first time. It needs BuildKit (the default since Docker 23) for the cache mounts.

FROM rust:1.95-bookworm AS build
COPY --from=node:20-bookworm-slim /usr/local/ /usr/local/
WORKDIR /src
ENV BECK_TOOLS=/tools CARGO_TARGET_DIR=/target

# The build tools: this layer stays until Cargo.toml, Cargo.lock or a pinned version changes. Then script/setup takes those
# that still fit from the folder in the cache.
COPY Cargo.toml Cargo.lock ./
COPY script/lib.sh script/setup script/
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/root/.cache/beck,sharing=locked \
    script/setup serve && mkdir -p ~/.cache/beck/tools-before && cp -R /tools/bin ~/.cache/beck/tools-before/

# The bundle. The target folder outlives the build: crates that did not change are not compiled again, and the files of
# the release before are taken along, for pages that it gave out.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target,sharing=locked \
    script/bundle --to /target/image && cp -R /target/image /beck

FROM debian:bookworm-slim
RUN install -d -m 700 -o 10001 -g 10001 /data
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /beck /opt/beck
# QR: nobody outside reaches the addresses of a container.
ENV PATH=/opt/beck:$PATH IP=0.0.0.0 PORT=8080 DATA_DIR=/data QR=no
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["beck", "health"]
ENTRYPOINT ["beck"]
CMD ["serve"]
