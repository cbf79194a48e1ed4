// Package peerclient runs a program that measures another store, for rtmanager bench
// --against. The program gets the flags --endpoints, --prefix, --writers, --readers and
// --objects. It prints the line ready, and responds to each line
//
//	measure ROW SECONDS
//
// with a line of JSON: the figures of the round, or the member error. It ends when its
// standard input ends.
package peerclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/bench/child"
)

// stopTimeout is how long the program may take to delete its keys before it is killed.
const stopTimeout = time.Minute

// Client is a program that runs. It implements bench.Peer.
type Client struct{ process *child.Process }

// Start returns a function that starts the program on the cluster of the run, and waits
// until it is ready.
func Start(program string) bench.StartPeer {
	return func(ctx context.Context, cluster bench.Cluster, options bench.Options, prefix string) (bench.Peer, error) {
		process, err := child.Start([]string{
			program, "--endpoints=" + cluster.URLs, "--prefix=" + prefix,
			"--writers=" + strconv.Itoa(options.Writers), "--readers=" + strconv.Itoa(options.Readers), "--objects=" + strconv.Itoa(options.Records),
		})
		if err != nil {
			return nil, err
		}
		c := &Client{process: process}
		line, err := process.ReadLine(ctx)
		if err == nil && line != "ready" {
			err = fmt.Errorf("it printed %q instead of ready", line)
		}
		if err != nil {
			process.Kill()
			return nil, errors.Join(err, c.Close())
		}
		return c, nil
	}
}

// result is the response to a request. CPU time and allocations are those of all
// operations.
type result struct {
	Workers     int     `json:"workers"`
	Operations  int     `json:"ops"`
	ElapsedNS   int64   `json:"elapsed_ns"`
	MeanUS      float64 `json:"mean_us"`
	P50US       float64 `json:"p50_us"`
	P99US       float64 `json:"p99_us"`
	CPUNS       int64   `json:"cpu_ns"`
	Allocations uint64  `json:"allocations"`
	AllocBytes  uint64  `json:"alloc_bytes"`
	Error       string  `json:"error"`
}

// Measure implements bench.Peer.
func (c *Client) Measure(ctx context.Context, row string, period time.Duration) (bench.Side, error) {
	line, err := c.process.Request(ctx, fmt.Sprintf("measure %s %.9f", row, period.Seconds()))
	if err != nil {
		return bench.Side{}, err
	}
	var r result
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return bench.Side{}, fmt.Errorf("the response %q: %w", line, err)
	}
	switch {
	case r.Error != "":
		return bench.Side{}, errors.New(r.Error)
	case r.Operations <= 0 || r.ElapsedNS <= 0:
		return bench.Side{}, fmt.Errorf("the response %q has no operations", line)
	}
	count := float64(r.Operations)
	return bench.Side{
		Operations: r.Operations, Workers: r.Workers, PerSecond: count / time.Duration(r.ElapsedNS).Seconds(),
		MeanUS: r.MeanUS, P50US: r.P50US, P99US: r.P99US, CPUUS: float64(r.CPUNS) / 1000 / count,
		Allocations: float64(r.Allocations) / count, AllocBytes: float64(r.AllocBytes) / count,
	}, nil
}

// Close stops the program, and kills it if it does not end in time.
func (c *Client) Close() error {
	c.process.Stop()
	select {
	case <-c.process.Done():
	case <-time.After(stopTimeout):
		c.process.Kill()
		<-c.process.Done()
	}
	return nil
}
