package members

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"galaxy/rtmanager/internal/bench/cputime"
)

// quotaBytes is the largest database of a member: a million records exceed etcd's default.
const quotaBytes = 8 << 30

// ErrNoSettings is the error of a process that Start did not start.
var ErrNoSettings = errors.New("no settings on standard input: this command is part of rtmanager bench")

// Serve runs one member until the input or ctx ends. It removes the data of the member.
func Serve(ctx context.Context, in io.Reader, out, errs io.Writer) error {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	var s settings
	if err := json.Unmarshal([]byte(<-lines), &s); err != nil {
		return ErrNoSettings
	}
	defer func() {
		_ = os.RemoveAll(s.Dir)
		_ = os.Remove(filepath.Dir(s.Dir)) // succeeds for the last member
	}()
	cfg, err := s.etcdConfig(errs)
	if err != nil {
		return err
	}
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	// Close would wait for clients, and for a cluster that does not become ready.
	defer stopEtcd(etcd)
	responses := responder{out: out}
	ready := etcd.Server.ReadyNotify()
	for {
		select {
		case <-ready:
			fmt.Fprintln(out, responseReady)
			ready = nil
		case line, isOpen := <-lines:
			if !isOpen {
				return nil
			}
			if err := responses.respond(line); err != nil {
				return err
			}
		case err := <-etcd.Err():
			return err
		case <-etcd.Server.StopNotify():
			return errors.New("etcd stopped by itself")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stopEtcd stops etcd, without a new leader and without waiting for clients.
func stopEtcd(etcd *embed.Etcd) {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		etcd.Server.HardStop()
	}()
	select {
	case <-stopped:
	case <-time.After(stopTimeout / 2):
	}
}

// responder responds to requests.
type responder struct {
	out     io.Writer
	profile *os.File // nil while there is no profile
}

func (r *responder) respond(request string) error {
	value, err := r.handle(request)
	line := responseOK + value
	if err != nil {
		line = responseError + err.Error()
	}
	_, err = fmt.Fprintln(r.out, strings.ReplaceAll(line, "\n", " "))
	return err
}

func (r *responder) handle(request string) (value string, err error) {
	file, isProfile := strings.CutPrefix(request, requestProfile)
	switch {
	case request == requestCPU:
		return strconv.FormatInt(int64(cputime.OfProcess()), 10), nil
	case isProfile:
		if r.profile, err = os.Create(file); err != nil { //nolint:gosec // the user chose it
			return "", err
		}
		return "", pprof.StartCPUProfile(r.profile)
	case request == requestProfileEnd:
		pprof.StopCPUProfile()
		return "", r.profile.Close() // also if it is nil
	}
	return "", fmt.Errorf("unknown request %q", request)
}

// etcdConfig returns the configuration of etcd: its defaults, except those that the
// comments give a reason for.
func (s settings) etcdConfig(errs io.Writer) (*embed.Config, error) {
	client, err := url.Parse(s.ClientURL)
	if err != nil {
		return nil, err
	}
	peer, err := url.Parse(s.PeerURL)
	if err != nil {
		return nil, err
	}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = s.Name, s.Dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster, cfg.InitialClusterToken = s.InitialCluster, s.Token
	cfg.QuotaBackendBytes = quotaBytes
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, "10m" // as the member of a daemon
	cfg.EnableGRPCGateway = false                                                            // a browser could reach this API
	// Only errors that end the process: etcd warns of a slow disk and of slow requests.
	level := zap.NewAtomicLevelAt(zapcore.FatalLevel)
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "msg"})
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(zapcore.NewCore(encoder, zapcore.AddSync(errs), level)))
	return cfg, nil
}
