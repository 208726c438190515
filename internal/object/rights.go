package object

import (
	"github.com/coterie-project/coterie/internal/fault"
)

// right is what a method does, what policies call the right to call it, and whether it reads: who reads may have to pay.
func right(method string, n Name) (doing, needs string, reads bool) {
	object := n.Bucket + "/" + n.Key
	switch method {
	case "ListObjectsV2", "HeadBucket":
		return "listing", "s3:ListBucket on " + n.Bucket, true
	case "HeadObject", "GetObject":
		return "reading", "s3:GetObject on " + object, true
	case "DeleteObject":
		return "removing", "s3:DeleteObject on " + object, false
	case "AbortMultipartUpload":
		return "giving up an upload", "s3:AbortMultipartUpload on " + object, false
	}
	return "writing", "s3:PutObject on " + object, false
}

// denied is the error of a call that is not allowed; hint is what else it may mean.
func denied(kind fault.Kind, method string, n Name, hint string) error {
	doing, needs, reads := right(method, n)
	remedy := "give that right in the policy of the bucket or of the identity, or use other credentials"
	if reads {
		remedy += "; a bucket whose readers pay needs --s3-requester-pays"
	}
	return Failure(kind, n, ErrDenied, "access is denied: "+doing+" needs "+needs+hint, remedy)
}

// deniedUnseen is the error of an object about which nothing is said, in a bucket that may not be listed.
func deniedUnseen(n Name) error {
	return denied(fault.Input, "HeadObject", n, "; or it does not exist, which is not told without s3:ListBucket on "+n.Bucket)
}
