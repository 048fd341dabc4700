// Parses an order of JSON and answers with its sums, as json/main.go does. The text is the request's body.
globalThis.handle = (text) => {
    const order = JSON.parse(text);
    let total = 0;
    for (const item of order.items)
        total += item.price * item.quantity;
    return JSON.stringify({ customer: order.customer, items: order.items.length, total });
};
