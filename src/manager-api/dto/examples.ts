/** Values that the documentation shows everywhere, so that its examples fit together. */
export const EXAMPLE = {
  volume: 'local',
  scope: 'user:0f0e0d0c-0b0a-4090-8070-605040302010',
  vfid: 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030',
  bareVfid: '9f8e7d6c-5b4a-4392-9190-807060504030',
  cloneVfid: 'user:0f0e0d0c-0b0a-4090-8070-605040302010/1a2b3c4d5e6f47081920a1b2c3d4e5f6',
  relpath: 'data/train.csv',
  content: 'epoch,loss\n1,0.731\n',
  size: 19,
  job: '5d6e1a0c-7a1b-4f5e-9c55-0c6a2f9d1e77',
  time: '2026-03-01T02:03:04.000005+00:00',
  token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcCI6ImRvd25sb2FkIn0.c2lnbmF0dXJl',
  archiveToken:
    'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcGVyYXRpb24iOiJkb3dubG9hZCJ9.c2lnbmF0dXJl',
  uploadToken: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcCI6InVwbG9hZCJ9.c2lnbmF0dXJl',
} as const;
