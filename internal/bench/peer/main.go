// Command k8speer measures the etcd store of the Kubernetes API server, to compare it with
// rtmanager's. It is a module of its own, so that no package of the product depends on
// k8s.io/apiserver. README.md has the protocol of standard input and output.
//
//	main.go     flags, protocol
//	store.go    the store of the API server, and the objects of a run
//	rows.go     what each row measures
//	round.go    one round: workers, latencies, CPU time, allocations
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the settings of a run.
type options struct {
	endpoints string
	prefix    string // of a generated prefix, below which are all keys of the run
	writers   int
	readers   int
	objects   int // objects to read
	bytes     int // of an encoded object
}

// minBytes is the size of an encoded object whose text is empty.
const minBytes = 150

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "k8speer:", err)
		os.Exit(1)
	}
}

// run measures one round for each line of the input, until the input or ctx ends. It then
// deletes the keys of the run.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	opts, err := parseFlags(args)
	if err != nil {
		return err
	}
	p, err := openPeer(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(context.WithoutCancel(ctx))) }()
	fmt.Fprintln(out, "ready")
	return p.serve(ctx, in, out)
}

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("k8speer", flag.ContinueOnError)
	flags.StringVar(&o.endpoints, "endpoints", "http://127.0.0.1:2379", "client URLs of etcd, separated by commas")
	flags.StringVar(&o.prefix, "prefix", "/k8speer", "the keys of the run are below a new prefix below this one")
	flags.IntVar(&o.writers, "writers", 256, "concurrent writers of update-rate, each with an object of its own")
	flags.IntVar(&o.readers, "readers", 64, "concurrent readers of get-rate")
	flags.IntVar(&o.objects, "objects", 1000, "objects that get-rate and list read")
	flags.IntVar(&o.bytes, "value-bytes", 700, "bytes of an encoded object")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case min(o.writers, o.readers, o.objects) < 1:
		return o, errors.New("--writers, --readers and --objects must be at least 1")
	case o.bytes < minBytes:
		return o, fmt.Errorf("--value-bytes is %d; use at least %d", o.bytes, minBytes)
	}
	return o, nil
}

// serve responds to each line of the input with one line of JSON.
func (p *peer) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case line, isOpen := <-lines:
			if !isOpen {
				return nil
			}
			if err := json.NewEncoder(out).Encode(p.respond(ctx, line)); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// failure is the response to a line that was not measured.
type failure struct {
	Error string `json:"error"`
}

// respond measures the round of a line: a result, or a failure.
func (p *peer) respond(ctx context.Context, line string) any {
	name, period, err := parseRequest(line)
	if err != nil {
		return failure{err.Error()}
	}
	calls, err := p.calls(ctx, name)
	if err != nil {
		return failure{err.Error()}
	}
	measured, err := measure(ctx, calls, period)
	if err != nil {
		return failure{err.Error()}
	}
	measured.Row = name
	return measured
}

// parseRequest parses a line: measure ROW SECONDS.
func parseRequest(line string) (row string, period time.Duration, err error) {
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[0] != "measure" || !slices.Contains(rows, fields[1]) {
		return "", 0, fmt.Errorf("%q is not a request: write measure ROW SECONDS, with a row of %s", line, strings.Join(rows, ", "))
	}
	seconds, err := strconv.ParseFloat(fields[2], 64)
	if err != nil || !(seconds > 0 && seconds <= 3600) {
		return "", 0, fmt.Errorf("%q are no seconds between 0 and 3600", fields[2])
	}
	return fields[1], time.Duration(seconds * float64(time.Second)), nil
}
