package members

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/bench/child"
)

// process is a process in which Serve runs.
type process struct {
	*child.Process
	settings settings
}

// startProcess starts a member.
func startProcess(command []string, s settings) (*process, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	p := &process{settings: s}
	if p.Process, err = child.Start(command); err != nil {
		return nil, p.wrap(err)
	}
	p.Send(string(text))
	return p, nil
}

// wrap adds the name of the member to an error.
func (p *process) wrap(err error) error {
	return fmt.Errorf("member %s of etcd: %w", p.settings.Name, err)
}

// awaitReady waits until the member serves requests of etcd.
func (p *process) awaitReady(ctx context.Context) error {
	line, err := p.ReadLine(ctx)
	if err == nil && line != responseReady {
		err = fmt.Errorf("unexpected line at its start: %q", line)
	}
	if err != nil {
		return p.wrap(err)
	}
	return nil
}

// request sends a request and returns the value of its response.
func (p *process) request(ctx context.Context, text string) (string, error) {
	line, err := p.Request(ctx, text)
	if err != nil {
		return "", p.wrap(err)
	}
	if value, isOK := strings.CutPrefix(line, responseOK); isOK {
		return value, nil
	}
	return "", fmt.Errorf("member %s of etcd: %s", p.settings.Name, strings.TrimPrefix(line, responseError))
}

func (p *process) cpuTime(ctx context.Context) (time.Duration, error) {
	text, err := p.request(ctx, requestCPU)
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, p.wrap(fmt.Errorf("CPU time: %w", err))
	}
	return time.Duration(used), nil
}
