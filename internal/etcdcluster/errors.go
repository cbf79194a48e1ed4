package etcdcluster

import (
	"context"
	"errors"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// IsCertificateError reports whether a request failed because one of both sides does not accept
// the certificate of the other.
func IsCertificateError(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "tls: ") || strings.Contains(text, "x509: ")
}

// isUnreachable reports whether no member responded.
func isUnreachable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	code := status.Code(err)
	if translated, isOfEtcd := errors.AsType[rpctypes.EtcdError](err); isOfEtcd {
		code = translated.Code() // that of a member which stops, for example
	}
	return (code == codes.Unavailable || code == codes.DeadlineExceeded) && !IsCertificateError(err)
}
