package bench

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profileBoth profiles both sides of a row, one after the other, each for the measuring
// time of all rounds. The rounds themselves are not profiled: a profile costs CPU time.
func (r *runner) profileBoth(ctx context.Context, row string, measured, baseline subject) error {
	if r.options.ProfileDir == "" {
		return nil
	}
	for _, side := range []struct {
		name string
		subject
	}{{"measured", measured}, {"baseline", baseline}} {
		r.progress(Progress{Activity: "profile " + row + " " + side.name})
		if err := r.profile(ctx, filepath.Join(r.options.ProfileDir, row+"-"+side.name), side.subject); err != nil {
			return err
		}
	}
	return nil
}

// profile measures a subject with profiles. Their files start with the prefix.
func (r *runner) profile(ctx context.Context, prefix string, s subject) (err error) {
	// The profile of allocations counts from the start of the process, so there is one of
	// the time before: see the option -base of go tool pprof.
	if err := writeFile(prefix+"-allocs-base.pprof", writeAllocations); err != nil {
		return err
	}
	cpu, err := os.Create(prefix + "-cpu.pprof")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cpu.Close()) }()
	if r.cluster.Members != nil {
		file := func(member string) string { return prefix + "-" + member + "-cpu.pprof" }
		if err := r.cluster.Members.StartProfiles(ctx, file); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.cluster.Members.StopProfiles(context.WithoutCancel(ctx))) }()
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	_, err = s.measure(ctx, r.cluster, r.options.Duration)
	pprof.StopCPUProfile()
	return errors.Join(err, writeFile(prefix+"-allocs.pprof", writeAllocations))
}

func writeAllocations(out io.Writer) error { return pprof.Lookup("allocs").WriteTo(out, 0) }

// writeFile creates a file with the content.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
