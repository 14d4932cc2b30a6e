// Socket.IO: an event `m` is relayed to the room ?room= of the address. Connections can be recovered for two minutes,
// which is the nearest that it has to what Beck promises. With a REDIS_URL the servers share it through the Redis
// streams adapter.
// node peers/socket_io.mjs PORT [REDIS_URL]
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port, url] = [Number(process.argv[2]), process.argv[3]];
const options = {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
  maxHttpBufferSize: 65536,
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
};
if (url) {
  const { createClient } = await import("redis");
  const { createAdapter } = await import("@socket.io/redis-streams-adapter");
  const client = createClient({ url });
  await client.connect();
  options.adapter = createAdapter(client, { maxLen: 100_000, readCount: 1_000, onlyPlaintext: true });
}

const http = createServer();
const io = new Server(http, options);
io.on("connection", socket => {
  const { room = "r0" } = socket.handshake.query;
  socket.join(room);
  socket.on("m", text => io.to(room).emit("m", text));
});
http.listen(port, "127.0.0.1", () => console.log("ready"));
