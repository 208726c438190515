// Package object reads and writes objects of an S3-compatible service. An object is named s3://BUCKET/KEY.
//
// What is read is pinned: Stat gives the object's ETag, and every read after it asks for the object of that ETag, so that
// one that is replaced in between is an error (ErrChanged) and never a mixture. What is written appears whole or not
// at all, and may be made to depend on what stands there: the conditional writes of S3 are the only lock there is.
// Every call ends with its context, is tried again a bounded number of times where the service is at fault, and all that
// is tried again is counted.
//
// Default is the store of the process, set up by Configure from flags and, beyond them, from what AWS's own tools read:
// environment, profile files, container and instance roles. What it does not do: cache, or decide who may read what.
package object
