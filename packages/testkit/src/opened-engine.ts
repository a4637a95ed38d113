/** An engine under test: what it delivered is kept, and its calls are promises. */
import type { Component, Message, Update } from '@sapwood/core'
import type { Engine, Interest, ReadRequest, ReadResult } from '@sapwood/hub'
import { RecordingComponent } from './recording-component.ts'

export interface EngineLimits {
  /** Milliseconds. */
  readonly age: number
  readonly count: number
  readonly pathCount: number
  /** As `Update.size` counts them. */
  readonly bytes: number
}

export interface EngineCase {
  /** One that nobody has opened yet. */
  readonly engine: Engine
  /** The engine's time, in milliseconds. */
  now(): number
  /** Lets time pass. */
  advance(ms: number): void | Promise<void>
  /** Resolves when all that was appended is delivered or refused. Not needed where that happens at once. */
  settle?(): Promise<void>
}

/** A budget that no read reaches. */
export const EVERYTHING: number = Number.POSITIVE_INFINITY

export class OpenedEngine {
  readonly engine: Engine
  readonly sender: RecordingComponent = new RecordingComponent('sender')
  readonly delivered: { readonly sender: Component; readonly update: Update }[] = []
  readonly refused: Message[] = []
  whenDelivered: (update: Update) => void = () => undefined
  readonly #case: EngineCase

  constructor(engineCase: EngineCase) {
    this.#case = engineCase
    this.engine = engineCase.engine
    this.engine.open({
      deliver: (sender, update) => {
        this.delivered.push({ sender, update })
        this.whenDelivered(update)
      },
      refused: (_sender, message) => {
        this.refused.push(message)
      },
    })
  }

  now(): number {
    return this.#case.now()
  }

  async advance(ms: number): Promise<void> {
    await this.#case.advance(ms)
  }

  async settle(): Promise<void> {
    await this.#case.settle?.()
  }

  async append(path: string, message: Message): Promise<void> {
    this.engine.append(this.sender, path, message)
    await this.settle()
  }

  /** @throws Error if the engine answers twice. */
  async read(
    interests: readonly Interest[],
    { after = 0, bytes = EVERYTHING }: Partial<ReadRequest> = {},
  ): Promise<ReadResult> {
    let answers = 0
    const result = await new Promise<ReadResult>((resolve) => {
      this.engine.read({ interests, after, bytes }, (found) => {
        answers++
        resolve(found)
      })
    })
    await this.settle()
    if (answers !== 1) throw new Error(`a read was answered ${answers} times`)
    return result
  }
}
