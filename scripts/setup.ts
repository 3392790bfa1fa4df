// `node scripts/run.mjs setup`: fetching Node and the packages was all there is to do.
