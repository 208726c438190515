package main

import (
	"github.com/spf13/pflag"

	"github.com/coterie-project/coterie/internal/object"
)

// bindObjects binds what every command may be told of the service that s3://BUCKET/KEY lies in.
func bindObjects(flags *pflag.FlagSet, o *object.Options) {
	flags.StringVar(&o.Endpoint, "s3-endpoint", "", "`URL` of the service that s3:// names lie in, where it is not AWS (default AWS_ENDPOINT_URL)")
	flags.StringVar(&o.Region, "s3-region", "", "`REGION` of the buckets (default AWS_REGION)")
	flags.BoolVar(&o.PathStyle, "s3-path-style", false, "ask for URL/BUCKET/KEY, not BUCKET.URL/KEY, as many services other than AWS need")
	flags.BoolVar(&o.RequesterPays, "s3-requester-pays", false, "pay for reading from buckets whose readers pay")
}
