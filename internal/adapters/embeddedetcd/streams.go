package embeddedetcd

import (
	"context"

	"google.golang.org/grpc"
)

// EndStreamsWith returns an interceptor for a server of etcd that ends every
// stream of a client together with ctx. etcd's own close waits several seconds
// for streams such as an `etcdctl watch` that somebody has left open.
func EndStreamsWith(ctx context.Context) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		bound, cancel := context.WithCancel(stream.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return handler(srv, &boundStream{ServerStream: stream, ctx: bound})
	}
}

type boundStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context is how etcd's handlers learn that a stream is over.
func (s *boundStream) Context() context.Context { return s.ctx }
