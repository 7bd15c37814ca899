// Sends what the test expects with Segment's library for browsers, from a page in Chromium.
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [address, writeKey, count, hub, executablePath] = process.argv.slice(2);
const library = new URL("node_modules/@segment/analytics-next/dist/umd/", import.meta.url);
const site = "https://shop.example/";
const browser = await chromium.launch({
  executablePath,
  // As root there is no sandbox; and the page, whose address is a made-up one, sends to this machine.
  args: ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"],
});
const page = await browser.newPage();
await page.route(`${site}**`, async (route) => {
  const { pathname } = new URL(route.request().url());
  const body = pathname === "/" ? '<script src="/index.js"></script>' : await readFile(new URL(pathname.slice(1), library));
  await route.fulfill({ contentType: pathname === "/" ? "text/html" : "text/javascript", body });
});
// Each message is sent until it was answered.
const answered = new Set();
const wanted = Number(count) + Math.ceil(Number(count) / 10) + 3;
const all = new Promise((resolve) => {
  page.on("response", (response) => {
    const request = response.request();
    if (request.method() !== "POST" || response.status() !== 200) return;
    answered.add(request.postDataJSON().messageId);
    if (answered.size === wanted) resolve();
  });
});
// Loads the library, as each page of a site does; what the page before could not send is sent by the next one.
const visit = async (count) => {
  await page.goto(site);
  await page.evaluate(
    async ([address, hub, writeKey, count]) => {
      const me = "segment-browser";
      const to = { apiHost: `${new URL(address).host}/v1`, protocol: "http" };
      const settings = { writeKey, cdnURL: hub };
      const analytics = window.AnalyticsNext.AnalyticsBrowser.load(settings, { integrations: { "Segment.io": to } });
      await analytics.ready();
      if (count === 0) return;
      analytics.setAnonymousId(`browser-of-${me}`);
      analytics.identify(me, { email: `${me}@mail.example`, firstName: "Nora" });
      analytics.group(`g-${me}`, { name: "Browsers and sons" });
      analytics.alias(me, `before-${me}`);
      for (let number = 0; number < count; number += 1) {
        analytics.track(`Tried ${me}`, { sku: `s${number}` });
        if (number % 10 === 0) analytics.page(`Page of ${me} ${number}`);
      }
    },
    [address, hub, writeKey, count],
  );
};
await visit(Number(count));
for (let pages = 1; answered.size < wanted; pages += 1) {
  const before = answered.size;
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 4000))]);
  if (pages > 20) {
    console.error(`${answered.size} of ${wanted} messages were answered`);
    process.exit(1);
  }
  if (answered.size === before) await visit(0);
}
await browser.close();
