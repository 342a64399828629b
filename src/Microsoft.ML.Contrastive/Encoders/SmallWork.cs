using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Has small work done by the calling thread alone: at each product, softmax or convolution libtorch wakes its other threads and waits for them, which costs more than they take off
/// a training step of a millisecond. How much work it is shows as it goes on: a scope starts on one thread, layers count their multiplications (<see cref="Arithmetic"/>), and at
/// <see cref="Limit"/> all threads compute again. So it hangs on shapes alone, and the same step takes the same way again.
/// </summary>
/// <remarks>
/// On Linux only, where the thread counts of OpenMP and MKL can be had for one thread. <c>torch.set_num_threads</c> won't do: it decides for threads that come later too, and drops
/// the convolutions that oneDNN has compiled.
/// </remarks>
internal static partial class SmallWork
{
    /// <summary>Multiplications of forward passes: some 2 ms of a training step on one thread.</summary>
    public const long Limit = 1 << 23;

    private static readonly Lazy<bool> s_canTell = new(() => OperatingSystem.IsLinux()
        && NativeLibrary.TryLoad("torch_cpu", typeof(SmallWork).Assembly, null, out nint library)
        && NativeLibrary.TryGetExport(library, "omp_set_num_threads", out _) && NativeLibrary.TryGetExport(library, "MKL_Set_Num_Threads_Local", out _));

    [ThreadStatic]
    private static Scope? t_current;

    /// <summary>This thread computes alone until the scope is disposed or <see cref="Count"/> has met the limit; null where it may not.</summary>
    /// <param name="multiplications">What is known beforehand.</param>
    public static Scope? Begin(long multiplications)
    {
        if (multiplications >= Limit || !s_canTell.Value)
            return null;
        int threads = get_num_threads(); // which also sets a new thread's number, so that libtorch won't later
        return threads == 1 ? null : t_current = new Scope(threads, Limit - multiplications);
    }

    /// <summary>How many threads of this process may compute alone on a device, each for itself; 1 where that can't be had.</summary>
    public static int OwnThreads(Device device) => device.type == DeviceType.CPU && s_canTell.Value ? get_num_threads() : 1;

    /// <summary>This thread computes alone until the scope is disposed, whatever the work.</summary>
    public static Scope? Alone() => s_canTell.Value && get_num_threads() is var threads and > 1 ? t_current = new Scope(threads, long.MaxValue) : null;

    /// <summary>Says that a layer will compute so many products.</summary>
    public static void Count(long multiplications) => t_current?.Count(multiplications);

    [LibraryImport("torch_cpu", EntryPoint = "omp_set_num_threads")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory | DllImportSearchPath.SafeDirectories)]
    private static partial void SetOpenMPThreads(int threads);

    /// <summary>The number before, 0 for OpenMP's.</summary>
    [LibraryImport("torch_cpu", EntryPoint = "MKL_Set_Num_Threads_Local")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory | DllImportSearchPath.SafeDirectories)]
    private static partial int SetMklThreads(int threads);

    /// <summary>One thread until its end, which may come before it is disposed.</summary>
    public sealed class Scope : IDisposable
    {
        private readonly int _threads, _mklThreads;
        private long _left;

        public Scope(int threads, long left)
        {
            (_threads, _left) = (threads, left);
            SetOpenMPThreads(1);
            _mklThreads = SetMklThreads(1);
        }

        public void Count(long multiplications)
        {
            if ((_left -= multiplications) <= 0)
                Dispose();
        }

        public void Dispose()
        {
            if (t_current != this)
                return;
            t_current = null;
            SetOpenMPThreads(_threads);
            _ = SetMklThreads(_mklThreads);
        }
    }
}
