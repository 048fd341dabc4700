// Node's own server, with the handler in JavaScript.  node node.js PORT
require("node:http").createServer((request, response) => {
    response.setHeader("content-type", "text/plain");
    response.setHeader("content-length", "12");
    response.end("hello, world");
}).listen(Number(process.argv[2]), "127.0.0.1");
