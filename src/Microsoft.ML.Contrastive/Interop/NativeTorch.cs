using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Security.Cryptography;
using TorchSharp;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Makes sure that libtorch is there before the first call of TorchSharp. The build has normally done the work
/// (eng/LibTorchSharpCompatibility.targets); this is the second line of defence, for programs built without it, and the one
/// place that says what to add when no back end is there at all.
/// </summary>
internal static class NativeTorch
{
    private const string Shim = "LibTorchSharp";

    private static readonly Lazy<bool> Loaded = new(Load);

    /// <summary>Returns when TorchSharp can be called. Does its work once; any thread may call it.</summary>
    /// <exception cref="InvalidOperationException">There is no native back end, or it does not load.</exception>
    internal static void EnsureLoaded() => _ = Loaded.Value;

    private static bool Load()
    {
        // The same two calls that TorchSharp makes. Where they fail it goes on to search package folders and may copy half a
        // gigabyte beside itself, so we decide before it is asked.
        bool foundByName = TryLoadByName("torch_cpu");
        if (TryLoadByName(Shim))
            return true;

        string[] folders = [.. SearchFolders()];
        string? torch = Find(folders, NativeName("torch_cpu")), shim = Find(folders, NativeName(Shim));
        if (torch is not null && shim is not null)
        {
            LoadByPath(torch, shim);
        }
        else if (!foundByName || !IsInPackage) // what is found by name may be the system's, such as Debian's libtorch, which TorchSharp can't use
        {
            throw new InvalidOperationException(
                $"No native libtorch is beside this program: add the package libtorch-cpu-{Platform} (or TorchSharp-cpu, or one of TorchSharp's CUDA packages) to the project that runs, or inside the ContrastiveML repository choose one by the MSBuild property TorchBackend.");
        }

        // Otherwise the files lie where only TorchSharp's own search finds them, as in notebooks.
        return true;
    }

    /// <summary>Whether TorchSharp was loaded from the folder of packages, lib/net8.0 of its own, and not from beside a program.</summary>
    private static bool IsInPackage => new FileInfo(typeof(torch).Assembly.Location).Directory?.Parent?.Name == "lib";

    /// <summary>The systems for which there is a back end.</summary>
    private static string Platform => OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64";

    private static bool TryLoadByName(string name) => NativeLibrary.TryLoad(name, typeof(torch).Assembly, null, out _);

    private static string NativeName(string name)
        => OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib" : $"lib{name}.so";

    private static string? Find(string[] folders, string file)
        => folders.Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);

    /// <summary>Where .NET looks for native libraries: the folders of deps.json, then the program's own.</summary>
    private static IEnumerable<string> SearchFolders()
    {
        string probed = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        foreach (string folder in probed.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", Platform, "native");
        yield return AppContext.BaseDirectory;
    }

    private static void LoadByPath(string torchPath, string shimPath)
    {
        try
        {
            // The shim may lie in another folder, so what it asks for comes first: this library brings all others.
            NativeLibrary.Load(Path.Combine(Path.GetDirectoryName(torchPath)!, NativeName("torch")));
            if (!NativeLibrary.TryLoad(shimPath, out nint handle))
                handle = OperatingSystem.IsLinux() ? LoadWeakenedCopy(shimPath) : NativeLibrary.Load(shimPath); // which throws the reason
            // An event and not SetDllImportResolver: an assembly has one resolver, and the program may have set it.
            AssemblyLoadContext.GetLoadContext(typeof(torch).Assembly)!.ResolvingUnmanagedDll
                += (assembly, name) => name == Shim && assembly == typeof(torch).Assembly ? handle : 0;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"The native libtorch in {Path.GetDirectoryName(shimPath)} does not load: {e.Message.Split('\n')[0]}", e);
        }
    }

    private static nint LoadWeakenedCopy(string shimPath)
    {
        byte[] image = File.ReadAllBytes(shimPath);
        if (ElfVersionNeeds.Weaken(image).Count == 0)
            return NativeLibrary.Load(shimPath); // fails for another reason, which this throws

        if (CacheFolder() is string cache && TryWrite(cache, image) is string kept && NativeLibrary.TryLoad(kept, out nint handle))
            return handle;

        // No home, a full or read-only one, or one from which nothing may be executed.
        DirectoryInfo temporary = Directory.CreateTempSubdirectory("contrastive-");
        try
        {
            string path = Path.Combine(temporary.FullName, "libLibTorchSharp.so");
            File.WriteAllBytes(path, image);
            return NativeLibrary.Load(path);
        }
        finally
        {
            temporary.Delete(recursive: true); // what is loaded stays loaded
        }
    }

    private static string? CacheFolder()
    {
        string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (!Path.IsPathRooted(cache))
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (home.Length == 0)
                return null;
            cache = Path.Combine(home, ".cache");
        }

        return Path.Combine(cache, "ContrastiveML", "native");
    }

    /// <summary>
    /// The image as a file named after its content, so that versions live side by side; null where that cannot be. A file that is
    /// there counts only if it is equal to the image and nobody else can change it before it is loaded.
    /// </summary>
    private static string? TryWrite(string folder, byte[] image)
    {
        if (OperatingSystem.IsWindows())
            return null;
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        try
        {
            DirectoryInfo directory = Directory.CreateDirectory(folder, ownerOnly);
            if ((directory.UnixFileMode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != 0)
                return null;
            string path = Path.Combine(folder, $"libLibTorchSharp.{Convert.ToHexStringLower(SHA256.HashData(image))[..16]}.so");
            if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(image))
            {
                string temporary = $"{path}.{Guid.NewGuid():N}";
                File.WriteAllBytes(temporary, image);
                File.Move(temporary, path, overwrite: true); // other processes see the whole file or none
            }

            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
