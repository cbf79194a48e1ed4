package faultkv

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrConnectionLost is the error of the etcd client for a connection that broke during a
// request.
var ErrConnectionLost = status.Error(codes.Unavailable, "connection reset by the test")

// LoseReply executes the transaction, runs between unless it is nil, and loses the response.
func LoseReply(between func()) Fault {
	return func(ctx context.Context, send Send) (*clientv3.TxnResponse, error) {
		if _, err := send(ctx); err != nil {
			return nil, err
		}
		if between != nil {
			between()
		}
		return nil, ErrConnectionLost
	}
}

// LoseRequest runs between unless it is nil, and never sends the transaction.
func LoseRequest(between func()) Fault {
	return func(context.Context, Send) (*clientv3.TxnResponse, error) {
		if between != nil {
			between()
		}
		return nil, ErrConnectionLost
	}
}
