// Twenty events with Segment's library for Node, which is closed at once, with the usual time to wait.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host });
for (let number = 0; number < 20; number += 1) {
  analytics.track({ userId: "u1", event: "Seen", properties: { number } });
}
await analytics.closeAndFlush();
