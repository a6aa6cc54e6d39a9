// SPDX-License-Identifier: Apache-2.0
// Moments of a life as Go's runtime lives them, without cgo: Go's own resolver, no C library.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
)

func need(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

func leave() {
	fmt.Print("last words\n")
	os.Exit(3)
}

func exitInThread() {
	go func() {
		runtime.LockOSThread()
		os.Exit(4)
	}()
	select {}
}

func giveUp() {
	debug.SetTraceback("crash")
	panic("given up")
}

func raise(number syscall.Signal) {
	need(syscall.Kill(syscall.Getpid(), number))
	time.Sleep(5 * time.Second)
}

func writeToNobody() {
	reader, writer, err := os.Pipe()
	need(err)
	reader.Close()
	if _, err = writer.Write([]byte("x")); err == nil {
		os.Exit(1)
	}
}

func handled() {
	arrived := make(chan os.Signal, 8)
	signal.Notify(arrived, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1)
	for _, number := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1} {
		need(syscall.Kill(syscall.Getpid(), number))
		<-arrived
	}
	writeToNobody()
	signal.Reset()
	signal.Ignore(syscall.SIGHUP)
}

func fault() {
	var nowhere *int
	fmt.Println(*nowhere)
}

func deep(level int) int {
	var room [4096]byte
	room[level%4096] = 1
	return deep(level+1) + int(room[0])
}

func overflow() { deep(0) }

// The limit is set after the start: what Go reserves at its start is more than it ever uses.
func memoryFull() {
	var limit syscall.Rlimit
	need(syscall.Getrlimit(syscall.RLIMIT_AS, &limit))
	limit.Cur = 1400 << 20
	need(syscall.Setrlimit(syscall.RLIMIT_AS, &limit))
	var kept [][]byte
	for {
		kept = append(kept, make([]byte, 16<<20))
	}
}

func memoryChurn() {
	debug.SetMemoryLimit(64 << 20)
	var all sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		all.Add(1)
		go func() {
			defer all.Done()
			var kept [64][]byte
			for round := 0; round < 2000; round++ {
				kept[round%64] = make([]byte, round*37%65536)
			}
		}()
	}
	all.Wait()
	runtime.GC()
	debug.FreeOSMemory()
}

func find(host string, wanted bool) {
	if _, err := net.LookupHost(host); (err == nil) != wanted {
		fmt.Fprintln(os.Stderr, host, err)
		os.Exit(1)
	}
}

func timeZones() {
	place, err := time.LoadLocation("Europe/Berlin")
	need(err)
	fmt.Println(time.Now().In(place), time.Now().Local())
	_, err = time.LoadLocation("Nowhere/None")
	if err == nil {
		os.Exit(1)
	}
	ticker := time.NewTicker(time.Millisecond)
	<-ticker.C
	<-ticker.C
	time.Sleep(25 * time.Millisecond)
}

func threads() {
	var lock sync.Mutex
	var all sync.WaitGroup
	changed := sync.NewCond(&lock)
	ready := false
	for worker := 0; worker < 32; worker++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			lock.Lock()
			for !ready {
				changed.Wait()
			}
			lock.Unlock()
		}()
	}
	time.Sleep(5 * time.Millisecond)
	lock.Lock()
	ready = true
	changed.Broadcast()
	lock.Unlock()
	all.Wait()
	// The scheduler preempts a loop without calls by a signal.
	done := false
	go func() { time.Sleep(30 * time.Millisecond); done = true }()
	for began := time.Now(); !done && time.Since(began) < 60*time.Millisecond; {
	}
}

func stdio() {
	hosts, err := os.Open("/etc/hosts")
	need(err)
	for lines := bufio.NewScanner(hosts); lines.Scan(); {
	}
	hosts.Close()
	own, err := os.CreateTemp("", "moments")
	need(err)
	fmt.Fprintln(own, strings.Repeat("line\n", 5000))
	own.Seek(10, 0)
	own.Close()
	os.Remove(own.Name())
	fmt.Println("to standard output")
	_, err = os.Stat("/nowhere/nothing")
	if err == nil {
		os.Exit(1)
	}
}

func spawn() {
	need(exec.Command("/bin/true").Run())
	words, err := exec.Command("/bin/sh", "-c", "echo spawned").Output()
	need(err)
	fmt.Print(string(words))
}

func main() {
	moments := map[string]func(){
		"start": func() {}, "exit": leave, "exit-in-thread": exitInThread, "abort": giveUp,
		"term": func() { raise(syscall.SIGTERM) }, "hup": func() { raise(syscall.SIGHUP) },
		"pipe": writeToNobody, "handled": handled, "fault": fault, "overflow": overflow,
		"memory-full": memoryFull, "memory-churn": memoryChurn,
		"names-file":     func() { find("localhost", true) },
		"names-answered": func() { find("answered.test", true) },
		"names-refused":  func() { find("refused.test", false) },
		"names-silent":   func() { find("silent.test", false) },
		"time":           timeZones, "threads": threads, "stdio": stdio, "spawn": spawn,
	}
	if len(os.Args) != 2 || moments[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: moments MOMENT")
		os.Exit(2)
	}
	moments[os.Args[1]]()
}
