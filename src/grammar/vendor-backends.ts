/**
 * Values of `backend` that the original knows (protocol section 6.1) and a build may lack. A volume of one
 * of them is still a mounted filesystem, so whoever refuses it can offer `vfs`.
 */
export const VENDOR_BACKENDS: ReadonlySet<string> = new Set([
  'netapp',
  'dellemc-onefs',
  'weka',
  'gpfs',
  'spectrumscale',
  'vast',
  'exascaler',
  'hammerspace',
  'hammerspace-base',
]);
