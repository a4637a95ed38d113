/** What is told of a port that services share, and of the bridge of pages to services. */
import { SNIFF_DEFAULT } from './kinds.ts'
import type { Fallback } from './row.ts'

export const EDGE_ROWS = {
  'bridge.connect': ['duration', '10s', 'how long a destination may take to be connected'],
  'bridge.idle': [
    'duration',
    '1h',
    'how long nothing may move over a bridge; 0 is no limit',
    { least: 0 },
  ],
  'bridge.connections': ['integer', 1000, 'bridges in all; 0 is no limit', { least: 0 }],
  'bridge.connections_per_address': [
    'integer',
    0,
    'bridges of one address; 0 is no limit',
    { least: 0 },
  ],
  'bridge.allow': ['bridges', [], 'what pages may have dialled for them, and who may'],
  'edge.listen': ['address', 'none', 'a port that many services share', { none: true }],
  'edge.sniff': [
    'sniff',
    SNIFF_DEFAULT as Fallback,
    'how much, and how long, a connection is looked at',
  ],
  'edge.otherwise': ['target', 'close', 'where goes what no route wants'],
  'edge.connect': ['duration', '10s', 'how long a service may take to be connected'],
  'edge.idle': [
    'duration',
    '1h',
    'how long nothing may move between client and service; 0 is no limit',
    { least: 0 },
  ],
  'edge.connections': ['integer', 0, 'connections in all; 0 is no limit', { least: 0 }],
  'edge.connections_per_address': [
    'integer',
    0,
    'connections of one address; 0 is no limit',
    { least: 0 },
  ],
  'edge.route': ['routes', [], 'where connections go; the first that fits counts'],
} as const
