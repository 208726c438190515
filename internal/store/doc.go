// Package store writes files so that they appear whole or not at all.
//
// A file is written under a temporary name in the folder of its target, synced, renamed over the target, and the
// folder is synced, so that neither a crash nor a full disk can leave half a file under the target's name. Every
// error is a *fault.Error that names the path and the next step.
//
// An object (s3://BUCKET/KEY) is an upload that becomes visible with its Commit. Small documents are read here, too, and
// may be replaced on the condition that nobody else has changed them since.
//
// What it does not do: choose a format or lock a file against other writers (the last Commit wins). Readers of
// data are in package dataset; models, labels and reports are written through here.
package store
