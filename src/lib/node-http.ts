// Node's HTTP module, without what comes along when it is imported: an import asks for every name that a module has, and `WebSocket` among them loads a
// second HTTP client (undici), which is 11 MB of memory and 10 ms of each start. Types are imported from `node:http` as ever; test/tidy keeps values out.

export const { Agent, createServer, request } = process.getBuiltinModule('node:http');
