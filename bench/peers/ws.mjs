// Plain `ws`: every text is relayed to the room ?room= of the address.
// node peers/ws.mjs PORT
import { WebSocketServer } from "ws";

const port = Number(process.argv[2]);
const rooms = new Map();
const server = new WebSocketServer({ port, host: "127.0.0.1", perMessageDeflate: false, maxPayload: 65536 });

server.on("listening", () => console.log("ready"));
server.on("connection", (socket, request) => {
  const room = new URL(request.url, "http://localhost").searchParams.get("room") ?? "r0";
  if (!rooms.has(room)) rooms.set(room, new Set());
  const members = rooms.get(room).add(socket);
  socket.on("message", text => {
    for (const member of members) if (member.readyState === 1) member.send(text, { binary: false });
  });
  socket.on("close", () => {
    members.delete(socket);
    if (!members.size) rooms.delete(room);
  });
  socket.on("error", () => {});
});
