package logstream_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/logstream"
	"galaxy/rtmanager/internal/domain/container"
)

// serve returns the URL of a server that responds with the lines, and the errors of the responses.
func serve(t *testing.T, cfg logstream.Config, lines iter.Seq2[container.LogLine, error]) (string, <-chan error) {
	t.Helper()
	errs := make(chan error, 10)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, time.Minute)
	cfg.OpenDelay = cmp.Or(cfg.OpenDelay, 50*time.Millisecond)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := logstream.Write(r.Context(), w, lines, cfg)
		errs <- err
		var interrupted *logstream.InterruptedError
		if errors.As(err, &interrupted) {
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, errs
}

// response is a response whose body is closed at the end of the test.
type response struct {
	status    int
	mediaType string
	body      io.Reader
}

func get(t *testing.T, url string) response {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Body.Close() })
	return response{r.StatusCode, r.Header.Get("Content-Type"), r.Body}
}

func linesOf(lines ...container.LogLine) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		for _, line := range lines {
			if !yield(line, nil) {
				return
			}
		}
	}
}

func fail(err error) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) { yield(container.LogLine{}, err) }
}

func concat(parts ...iter.Seq2[container.LogLine, error]) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		for _, part := range parts {
			for line, err := range part {
				if !yield(line, err) {
					return
				}
			}
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	lines := linesOf(container.LogLine{Time: at, Text: "one"}, container.LogLine{Text: ""})
	for want, cfg := range map[string]logstream.Config{
		"one\n\n":                          {},
		"2026-01-02T03:04:05.6Z one\n- \n": {HasTimes: true},
	} {
		url, errs := serve(t, cfg, lines)
		response := get(t, url)
		body, err := io.ReadAll(response.body)
		require.NoError(t, err)
		require.Equal(t, want, string(body))
		require.Equal(t, logstream.MediaType, response.mediaType)
		require.NoError(t, <-errs)
	}
}

func TestWriteOfAnEmptyLog(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, logstream.Config{}, linesOf())
	response := get(t, url)
	require.Equal(t, http.StatusOK, response.status)
	require.Equal(t, logstream.MediaType, response.mediaType)
}

func TestWriteReturnsAnErrorBeforeTheFirstLine(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, logstream.Config{OpenDelay: time.Minute}, fail(errors.New("no log")))
	require.Equal(t, http.StatusTeapot, get(t, url).status)
}

func TestWriteInterruptsTheResponseAfterALine(t *testing.T) {
	t.Parallel()
	url, errs := serve(t, logstream.Config{}, concat(linesOf(container.LogLine{Text: "one"}), fail(errors.New("lost"))))
	response := get(t, url)
	body, err := io.ReadAll(response.body)
	require.Error(t, err, "the client must not treat the log as complete")
	require.Equal(t, "one\n", string(body))
	require.ErrorContains(t, <-errs, "lost")
}

// Each line is sent as it arrives.
func TestWriteFlushes(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	url, _ := serve(t, logstream.Config{}, func(yield func(container.LogLine, error) bool) {
		for text := range next {
			if !yield(container.LogLine{Text: text}, nil) {
				return
			}
		}
	})
	response := get(t, url) // the status is sent without a line
	lines := bufio.NewScanner(response.body)
	for _, text := range []string{"one", "two"} {
		next <- text
		require.True(t, lines.Scan())
		require.Equal(t, text, lines.Text())
	}
	close(next)
	require.False(t, lines.Scan())
	require.NoError(t, lines.Err())
}

// The log is not read ahead of a client that does not read, which is disconnected in the end.
func TestWriteToASlowClient(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	line := container.LogLine{Text: strings.Repeat("x", 32<<10)}
	url, errs := serve(t, logstream.Config{WriteTimeout: 300 * time.Millisecond}, func(yield func(container.LogLine, error) bool) {
		for yield(line, nil) {
			count.Add(1)
		}
	})
	_ = get(t, url)
	select {
	case err := <-errs:
		var interrupted *logstream.InterruptedError
		require.ErrorAs(t, err, &interrupted)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the client is not disconnected")
	}
	require.Less(t, count.Load(), int64(2000), "lines that were read: those in the buffers of the connection")
}

func TestWriteEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the reason"))
	blocked := func(yield func(container.LogLine, error) bool) {
		<-ctx.Done()
		yield(container.LogLine{}, ctx.Err())
	}
	err := logstream.Write(ctx, httptest.NewRecorder(), blocked, logstream.Config{WriteTimeout: time.Minute, OpenDelay: time.Minute})
	require.EqualError(t, err, "the reason")
}
