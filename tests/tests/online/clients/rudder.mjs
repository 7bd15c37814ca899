// Sends what the test expects with RudderStack's library for Node.
import Analytics from "@rudderstack/rudder-sdk-node";

const [host, writeKey, count] = process.argv.slice(2);
const client = new Analytics(writeKey, { dataPlaneUrl: host, flushAt: 20, flushInterval: 200, retryCount: 10, gzip: true });
const me = { userId: "rudder-node", anonymousId: "browser-of-rudder-node" };
let waiting = 0;
const sent = new Promise((resolve, reject) => {
  const done = (error) => {
    if (error) reject(error);
    waiting -= 1;
    if (waiting === 0) resolve();
  };
  const send = (call, message) => {
    waiting += 1;
    client[call](message, done);
  };
  send("identify", { ...me, traits: { email: "rudder-node@mail.example", firstName: "Nora" } });
  send("group", { ...me, groupId: "g-rudder-node", traits: { name: "Rudder and sons" } });
  send("alias", { userId: "rudder-node", previousId: "before-rudder-node" });
  for (let number = 0; number < Number(count); number += 1) {
    send("track", { ...me, event: "Tried rudder-node", properties: { sku: `s${number}` } });
    if (number % 10 === 0) send("page", { ...me, name: `Page of rudder-node ${number}` });
  }
});
client.flush();
await sent;
process.exit(0);
