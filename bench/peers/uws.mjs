// uWebSockets.js with its own publish and subscribe: every text is relayed to the room ?room= of the address.
// node peers/uws.mjs PORT
import { createRequire } from "node:module";

const port = Number(process.argv[2]);
const binary = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
const uWS = createRequire(import.meta.url)(`@trufflesuite/uws-js-unofficial/dist/${binary}`);

const app = uWS.App({});
app
  .ws("/*", {
    compression: 0,
    maxPayloadLength: 65536,
    idleTimeout: 120,
    maxBackpressure: 1 << 20,
    upgrade(response, request, context) {
      const header = name => request.getHeader(`sec-websocket-${name}`);
      const room = request.getQuery("room") || "r0";
      response.upgrade({ room }, header("key"), header("protocol"), header("extensions"), context);
    },
    open: socket => socket.subscribe(socket.room),
    message: (socket, text, isBinary) => app.publish(socket.room, text, isBinary),
  })
  .listen("127.0.0.1", port, listening => {
    if (listening) return console.log("ready");
    console.error(`cannot listen on port ${port}`);
    process.exit(1);
  });
