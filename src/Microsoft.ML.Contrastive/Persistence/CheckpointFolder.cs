using System.Globalization;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The folder where a run's newest few checkpoints lie. One Fit at a time holds it; the system lets go of it when the process
/// ends, however it ends.
/// </summary>
internal sealed class CheckpointFolder : IDisposable
{
    private const string Pattern = "step-*.safetensors", LockName = "in-use.lock";
    private readonly string _path;
    private readonly int _kept;
    private readonly FileStream _lock;

    /// <summary>Makes the folder where there is none, takes hold of it, and removes what a killed process left half written.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="kept">How many checkpoints stay, at least 1.</param>
    /// <exception cref="IOException">It can't be written, or another Fit holds it.</exception>
    public CheckpointFolder(string path, int kept)
    {
        (_path, _kept) = (Path.GetFullPath(path), kept);
        try
        {
            Directory.CreateDirectory(_path);
            _lock = new FileStream(
                Path.Combine(_path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
            foreach (string half in Directory.GetFiles(_path, $"{Pattern}.*{AtomicFile.TemporaryExtension}"))
                File.Delete(half);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _lock?.Dispose();
            throw new IOException($"The CheckpointFolder '{_path}' can't be used: {error.Message} It must be writable, and one Fit at a time may use it.", error);
        }
    }

    /// <summary>The newest checkpoint that is whole, or null. Damaged ones are skipped, and said.</summary>
    public Checkpoint? Newest(Action<string> warn)
    {
        foreach ((_, string path) in Checkpoints().OrderByDescending(checkpoint => checkpoint.Step))
        {
            try
            {
                return Checkpoint.Read(path);
            }
            catch (InvalidDataException error)
            {
                warn($"A checkpoint was skipped: {error.Message} The one before it is taken, or the start where there is none.");
            }
        }
        return null;
    }

    /// <summary>Writes a checkpoint, whole or not at all, and only then removes the oldest.</summary>
    /// <exception cref="IOException">It could not be written; those before it are as they were.</exception>
    public void Write(long step, JsonObject run, JsonObject environment, IEnumerable<(string Name, Tensor Value)> state)
    {
        try
        {
            Checkpoint.Write(Path.Combine(_path, string.Create(CultureInfo.InvariantCulture, $"step-{step:d12}.safetensors")), step, run, environment, state);
            // Later ones are damaged, or this run would not be here. They go when it has passed them.
            foreach ((_, string path) in Checkpoints().Where(other => other.Step <= step).OrderByDescending(other => other.Step).Skip(_kept))
                File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException
            or ArgumentOutOfRangeException) // .NET's for a file that outgrows what its file system or a limit allows
        {
            throw new IOException($"The checkpoint of step {step} could not be written to '{_path}': {error.Message} Those before it are whole: make room or give the right to write, and call Fit again to go on.", error);
        }
    }

    /// <summary>Lets go of the folder.</summary>
    public void Dispose() => _lock.Dispose();

    private IEnumerable<(long Step, string Path)> Checkpoints()
        => from path in Directory.GetFiles(_path, Pattern)
           let name = Path.GetFileNameWithoutExtension(path)
           where long.TryParse(name.AsSpan("step-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out _)
           select (long.Parse(name.AsSpan("step-".Length), NumberStyles.None, CultureInfo.InvariantCulture), path);
}
