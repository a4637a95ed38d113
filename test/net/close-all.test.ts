import { setImmediate as settled } from 'node:timers/promises'
import { closeAll } from '@sapwood/net'
import { test } from 'tap'

test('parts are closed in turn, also behind one that fails, and the first failure is told', async (t) => {
  const closed: string[] = []
  const part = (name: string, fault?: string) => ({
    close: async (): Promise<void> => {
      await settled()
      closed.push(name)
      if (fault !== undefined) throw new Error(fault)
    },
  })
  const thrower = {
    close: (): void => {
      throw new Error('at once')
    },
  }
  await t.rejects(closeAll([part('a'), part('b', 'later'), thrower, part('c')]), {
    message: 'later',
  })
  t.same(closed, ['a', 'b', 'c'])
  await closeAll([part('d')])
  t.same(closed.at(-1), 'd')
})
