// What the build compiles: the connector as the exports of its world.

import { component } from "@onefold/sdk/component";
import { connector } from "./connector.js";

export const { meta, source, destination, audience, privacy } = component(connector);
