/** The codec of the hot messages under one name, for tests that compare it with another. */
import { readRequest, readResponse, readTrailers } from './head-reader.ts'
import {
  fieldsMost,
  requestMost,
  responseMost,
  writeRequest,
  writeResponse,
  writeTrailers,
} from './head-writer.ts'

/** How heads are written and read; sessions do it by themselves. Sizes are those that a writer may need at most. */
export const pipeHeads: {
  readonly requestMost: typeof requestMost
  readonly responseMost: typeof responseMost
  readonly fieldsMost: typeof fieldsMost
  readonly writeRequest: typeof writeRequest
  readonly writeResponse: typeof writeResponse
  readonly writeTrailers: typeof writeTrailers
  readonly readRequest: typeof readRequest
  readonly readResponse: typeof readResponse
  readonly readTrailers: typeof readTrailers
} = {
  requestMost,
  responseMost,
  fieldsMost,
  writeRequest,
  writeResponse,
  writeTrailers,
  readRequest,
  readResponse,
  readTrailers,
}
