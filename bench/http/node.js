// Node's own server, with handlers in JavaScript: a GET is greeted, an order that is posted is summed up as
// quickjs/handler.js does.  node node.js PORT
require("node:http").createServer((request, response) => {
    const answer = (type, text) => {
        response.setHeader("content-type", type);
        response.setHeader("content-length", Buffer.byteLength(text));
        response.end(text);
    };
    if (request.method !== "POST") {
        answer("text/plain", "hello, world");
        return;
    }
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
        const order = JSON.parse(Buffer.concat(pieces));
        let total = 0;
        for (const item of order.items) total += item.price * item.quantity;
        answer("application/json", JSON.stringify({ customer: order.customer, items: order.items.length, total }));
    });
}).listen(Number(process.argv[2]), "127.0.0.1");
