package network

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// chunkSize is the largest number of bytes that a proxy forwards at once, and queueLength
// the number of chunks that may be on their way in one direction of a connection.
const (
	chunkSize   = 64 << 10
	queueLength = 4096
)

// errResponseLost ends a connection whose response is lost.
var errResponseLost = errors.New("the response is lost")

// link is one connection through a proxy.
type link struct {
	proxy          *Proxy
	route          route // from the client to the server
	client, server net.Conn
	// hasRequest reports that the server has received bytes since it sent the last ones.
	hasRequest atomic.Bool
	responses  responseFinder // used by the direction from the server only
}

// chunk is what one read returned; a chunk without data is the end of the stream.
type chunk struct {
	data         []byte
	sent         time.Time
	late         time.Duration // added to the delay of the path
	isFromServer bool
}

// forward copies both directions until one end closes.
func (l *link) forward(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	back := route{l.route.traffic, l.route.to, l.route.from}
	requests, responses := l.proxy.network.path(l.route), l.proxy.network.path(back)
	var copies sync.WaitGroup
	copies.Go(func() {
		l.copy(ctx, requests, l.client, l.server, l.sendRequest)
		cancel() // the other direction ends as well
		l.close()
	})
	copies.Go(func() {
		l.copy(ctx, responses, l.server, l.client, func(data []byte) error { return l.sendResponse(responses, data) })
		cancel()
		l.close()
	})
	copies.Wait()
}

func (l *link) sendRequest(data []byte) error {
	if len(data) > 0 {
		l.hasRequest.Store(true)
	}
	_, err := l.server.Write(data)
	return err
}

// sendResponse sends bytes to the client. It resets the connection and returns errResponseLost
// if they begin a response that is lost.
func (l *link) sendResponse(path *path, data []byte) error {
	if len(data) > 0 && l.responses.find(data, l.hasRequest.Swap(false)) && path.losesResponse() {
		l.reset()
		return errResponseLost
	}
	_, err := l.client.Write(data)
	return err
}

// copy copies bytes and the end of the stream. Each chunk is sent when the path has delivered
// it.
func (l *link) copy(ctx context.Context, path *path, from, to net.Conn, send func([]byte) error) {
	queue := make(chan chunk, queueLength)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		buffer := make([]byte, chunkSize)
		for {
			count, err := from.Read(buffer)
			next := chunk{data: bytes.Clone(buffer[:count]), sent: time.Now(), late: path.lateness(count), isFromServer: to == l.client}
			select {
			case queue <- next:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			path.awaitBuffer(ctx)
		}
	})
	for next := range queue {
		if path.awaitArrival(ctx, next) != nil || send(next.data) != nil {
			break
		}
	}
	_ = from.Close()
	for range queue { // lets the reader return
	}
	reader.Wait()
}

// close closes both ends.
func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// reset closes both ends with a TCP reset.
func (l *link) reset() {
	for _, conn := range []net.Conn{l.client, l.server} {
		if tcp, isTCP := conn.(*net.TCPConn); isTCP {
			_ = tcp.SetLinger(0)
		}
	}
	l.close()
}
