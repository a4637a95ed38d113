/** The contract of transports, held by updates over the pipe, whose links may break at any time and nobody notices. */
import { transportConformance } from '@sapwood/testkit'
import { test } from 'tap'
import { updateCases } from './update-twin.ts'

test('updates over the pipe keep the contract of transports', async (t) => {
  transportConformance(t, 'pipe', updateCases(), { scripts: 5 })
})

test('they keep it while links break all the time: none lost, none twice, none out of order', async (t) => {
  transportConformance(t, 'a pipe that breaks', updateCases(0.1), { scripts: 25 })
})
