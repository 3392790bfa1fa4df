// `node scripts/run.mjs setup`: fetching Node and the packages is all there is to do, and it is done when this runs.
console.error('skep: ready');
