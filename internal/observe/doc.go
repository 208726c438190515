// Package observe serves what schedulers and monitoring ask of a long-lived process: /healthz, /readyz and /metrics.
//
// Metrics are read from functions at the moment of asking, so that nothing has to keep two counts in step. What it
// does not do: decide what is worth counting (the coordinator and the worker do), or show pages to people.
package observe
