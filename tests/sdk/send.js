// Sends one event of every call through Segment's Node SDK: node send.js HOST WRITE_KEY
import { Analytics } from '@segment/analytics-node'

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, maxRetries: 8 })
const troubles = []
analytics.on('error', (error) => troubles.push(error))

const anonymousId = 'a1'
const context = { ip: '192.0.2.7', userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' }
const timestamp = new Date(Date.now() - 60_000)
analytics.identify({ anonymousId, userId: 'u1', traits: { plan: 'pro' }, messageId: 'identify' })
analytics.track({ userId: 'u1', event: 'Order Completed', properties: { revenue: 19.9 }, context, timestamp, messageId: 'track' })
analytics.page({ anonymousId, name: 'Cart', category: 'Shop', properties: { url: 'https://shop.example/cart?utm_source=mail' }, messageId: 'page' })
analytics.screen({ anonymousId, name: 'Basket', messageId: 'screen' })
analytics.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Acme' }, messageId: 'group' })
analytics.alias({ userId: 'u1', previousId: 'a0', messageId: 'alias' })
await analytics.closeAndFlush({ timeout: 60_000 })
if (troubles.length) {
  console.error(troubles)
  process.exit(1)
}
