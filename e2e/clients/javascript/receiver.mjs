// Receives webhooks with the library that their specification publishes: `node receiver.mjs`.
//
// The first line of its input is the secret, which is known only after the webhook was made. Its first line of
// output is the port; then comes one for each post.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

const secret = new Promise((known) => createInterface({ input: process.stdin }).once("line", known));

function verifies(webhook, body, headers) {
  try {
    webhook.verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const webhook = new Webhook(await secret);
  const { headers } = request;
  const report = {
    id: headers["webhook-id"],
    verified: verifies(webhook, body, headers),
    altered: verifies(webhook, body.replace("}", " }"), headers),
    renamed: verifies(webhook, body, { ...headers, "webhook-id": "other" }),
    type: JSON.parse(body).type,
  };
  console.log(JSON.stringify(report));
  response.writeHead(report.verified ? 204 : 400).end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
