// Sends what the test expects with Segment's library for Node.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, count] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, flushAt: 20, flushInterval: 200, maxRetries: 10 });
const errors = [];
analytics.on("error", (error) => errors.push(String(error.reason ?? error)));
const me = { userId: "segment-node", anonymousId: "browser-of-segment-node" };
analytics.identify({ ...me, traits: { email: "segment-node@mail.example", firstName: "Nora" } });
analytics.group({ ...me, groupId: "g-segment-node", traits: { name: "Segment and sons" } });
analytics.alias({ userId: "segment-node", previousId: "before-segment-node" });
for (let number = 0; number < Number(count); number += 1) {
  analytics.track({ ...me, event: "Tried segment-node", properties: { sku: `s${number}` } });
  if (number % 10 === 0) analytics.page({ ...me, name: `Page of segment-node ${number}` });
}
await analytics.closeAndFlush({ timeout: 60000 });
if (errors.length > 0) throw new Error(errors.join("; "));
