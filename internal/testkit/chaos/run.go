package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

// Fault is a fault that a run can inject.
type Fault struct {
	Kind   string
	Target string
	// MaxDuration is how long it may last.
	MaxDuration time.Duration
	// Process is what the fault stops or disturbs as a whole, such as a member. Two faults of one process never
	// happen at the same time: the repair of one would end the other.
	Process string
	// IsAlone keeps other faults from happening at the same time.
	IsAlone bool
	// Inject injects the fault and returns what repairs it. It fails also if there is nothing to disturb, such as no
	// game to kill; the repair returns ErrNoEffect if only it can observe that. It returns the repair also with an
	// error if something must be repaired. The repairs of two faults run concurrently: a daemon is ready only after its member is.
	Inject func(ctx context.Context, rng *rand.Rand) (repair func(ctx context.Context) error, detail string, err error)
}

// ErrNoEffect is in the error of a repair if the fault had nothing to disturb. The cluster is whole, and the fault
// counts as failed.
var ErrNoEffect = errors.New("the fault had no effect")

// Environment is the cluster that a run is on.
type Environment struct {
	Layout string
	// Daemons are the daemons; runs change none of them for good.
	Daemons []traffic.Daemon
	Stores  []traffic.Store
	// Etcd is a client that no fault concerns. nil records no change: most rules cannot be checked then.
	Etcd *clientv3.Client
	// Prefix is that of all keys in etcd, and Version the one that the daemons report.
	Prefix, Version string
	// Faults are those that runs can inject.
	Faults []Fault
	// Containers returns the containers that run on the node of a daemon; nil means that they
	// cannot be observed, as does a result of nil at one time.
	Containers func(node string) []recording.Container
	// Image and PatchImage are images of one major and minor version that every daemon has, if Config.Traffic names
	// none.
	Image, PatchImage string
	// Leader returns the member that leads etcd, empty if that is not known.
	Leader func() string
	// Prepare, if not nil, makes the cluster ready for another run, such as by a compaction.
	Prepare func(ctx context.Context) error
	// Restore, if not nil, saves a backup and returns a function that restores it: it stops the cluster, calls
	// stopped, and starts the cluster from the backup. It is a fault too.
	Restore func(ctx context.Context) (restore func(ctx context.Context, stopped func()) error, err error)
}

// Config configures a run.
type Config struct {
	Seed     uint64
	Dir      string // of the recording
	Duration time.Duration
	// Name is part of the names of the games of the run, unique on its cluster.
	Name    string
	Planted string
	Traffic traffic.Config // its Seed, Run, Daemons and Stores are those of the run
	// Log receives a line for each step; nil discards them.
	Log func(format string, arguments ...any)
}

// recoveryTimeout bounds how long a run waits for the end of calls, and for a stable state.
const recoveryTimeout = time.Minute

// Execute makes traffic and injects faults for the duration, lets the cluster recover, and writes a
// recording. If ctx ends, the run ends early in the same way: faults are repaired, and the final state
// is recorded. The error is that of the harness: what the cluster does wrong is in the recording.
func Execute(ctx context.Context, env Environment, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = func(string, ...any) {}
	}
	if env.Prepare != nil {
		if err := env.Prepare(ctx); err != nil {
			return fmt.Errorf("prepare the cluster: %w", err)
		}
	}
	record, err := recording.Create(cfg.Dir)
	if err != nil {
		return err
	}
	untilEnd, ctx := ctx, context.WithoutCancel(ctx)
	started := time.Now()
	changes, err := startRecorder(ctx, env, record)
	if err != nil {
		return errors.Join(err, record.Close())
	}
	defer changes.stop()
	samples := startSampler(env, record)
	trafficConfig := cfg.Traffic
	trafficConfig.Seed, trafficConfig.Run, trafficConfig.Daemons, trafficConfig.Stores = cfg.Seed, cfg.Name, env.Daemons, env.Stores
	trafficConfig.Etcd = env.Etcd
	trafficConfig.Image, trafficConfig.PatchImage = cmp.Or(trafficConfig.Image, env.Image), cmp.Or(trafficConfig.PatchImage, env.PatchImage)
	clients := traffic.Start(ctx, record, trafficConfig)

	if env.Restore != nil && changes != nil {
		env.Faults = append(slices.Clone(env.Faults), restoreFault(env.Restore, changes))
	}
	injectFaults(untilEnd, env, cfg, record)
	run := recording.Run{
		Seed: cfg.Seed, Layout: env.Layout, Version: env.Version, Prefix: env.Prefix, NoChanges: env.Etcd == nil, Planted: cfg.Planted, Started: started.UTC().Format(time.RFC3339), Duration: record.Now(), Stable: record.Now(),
	}
	for _, d := range env.Daemons {
		run.Nodes = append(run.Nodes, d.Name())
	}
	clients.RequireRecovery(finalTimeout + time.Second)
	err = finish(ctx, env, record, clients, changes)
	samples.stop()
	run.Games = clients.Games()
	err = errors.Join(err, record.Finish(run))
	removeCtx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	clients.Remove(removeCtx)
	return err
}

// finish waits until the cluster is stable after the last fault, and records its final state.
func finish(ctx context.Context, env Environment, record *recording.Writer, clients *traffic.Traffic, changes *recorder) error {
	// Clients continue for a moment: everything must work now.
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
	callCtx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	for _, pending := range clients.StopCalls(callCtx) {
		record.Sample(recording.Calls, pending, pending)
	}
	var daemons sync.WaitGroup
	for _, d := range env.Daemons {
		daemons.Go(func() { recordFinal(ctx, record, clients, changes, d) })
	}
	daemons.Wait()
	watchCtx, cancelWatch := context.WithTimeout(ctx, finalTimeout)
	defer cancelWatch()
	position, err := changes.catchUp(watchCtx)
	for _, late := range clients.AwaitWatchers(watchCtx, position) {
		record.Sample(recording.Streams, late, late)
	}
	if !clients.StopWatches() {
		return errors.Join(err, fmt.Errorf("clients still wait for calls %s after their timeout", recoveryTimeout))
	}
	return err
}

// injectFaults injects faults one after the other, and sometimes two at a time, until the duration of
// the run is over, or ctx ends. All are repaired when it returns.
func injectFaults(ctx context.Context, env Environment, cfg Config, record *recording.Writer) {
	rng := rand.New(rand.NewPCG(cfg.Seed, 1)) //nolint:gosec // reproducible
	sleep := func(duration time.Duration) {
		timer := time.NewTimer(duration)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	wait := func(limit time.Duration) { sleep(time.Duration(rng.Int64N(int64(limit)))) }
	deadline := time.Now().Add(cfg.Duration)
	wait(time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil && len(env.Faults) > 0 {
		var repairs []func()
		disturbed := map[string]bool{}
		for count := 1 + rng.IntN(3)/2; count > 0; count-- {
			fault := env.Faults[rng.IntN(len(env.Faults))]
			if fault.IsAlone && len(repairs) > 0 || disturbed[fault.Process] {
				continue
			}
			disturbed[fault.Process] = fault.Process != ""
			repairs = append(repairs, inject(ctx, fault, rng, cfg, record))
			wait(min(fault.MaxDuration, cfg.Duration/4))
			if fault.IsAlone {
				break
			}
		}
		var repairing sync.WaitGroup
		for _, repair := range repairs {
			repairing.Go(repair)
		}
		repairing.Wait()
		wait(2 * time.Second)
	}
	sleep(time.Until(deadline)) // without faults
}

// restoreFault returns the fault that an operator restores a backup. What was written after the backup is
// lost, so the changes of etcd from then on are another history.
func restoreFault(save func(context.Context) (func(context.Context, func()) error, error), changes *recorder) Fault {
	return Fault{Kind: "backup restored", Target: "cluster", MaxDuration: 4 * time.Second, IsAlone: true, Inject: func(ctx context.Context, _ *rand.Rand) (func(context.Context) error, string, error) {
		restore, err := save(ctx)
		if err != nil {
			return nil, "", err
		}
		return func(ctx context.Context) error {
			return errors.Join(restore(ctx, changes.stop), changes.startHistory(ctx))
		}, "", nil
	}}
}

// inject injects a fault and returns what repairs and records it.
func inject(ctx context.Context, fault Fault, rng *rand.Rand, cfg Config, record *recording.Writer) (repair func()) {
	entry := recording.Fault{Kind: fault.Kind, Target: fault.Target, Started: record.Now()}
	end, detail, err := fault.Inject(ctx, rng)
	entry.Detail = detail
	cfg.Log("%8.3f s  %s: %s %s", time.Duration(entry.Started).Seconds(), fault.Kind, fault.Target, detail)
	return func() {
		if end != nil { // also what was injected in part
			repairErr := end(context.WithoutCancel(ctx))
			entry.Unrepaired, err = repairErr != nil && !errors.Is(repairErr, ErrNoEffect), errors.Join(err, repairErr)
		}
		if entry.Repaired = record.Now(); err != nil {
			entry.Error = err.Error()
			cfg.Log("%8.3f s  %s: %s: %v", time.Duration(entry.Repaired).Seconds(), fault.Kind, fault.Target, err)
		}
		record.Fault(entry)
	}
}
