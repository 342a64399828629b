// Compiled twice: into the library (Interop/NativeTorch.cs), and by MSBuild as an inline task (one source file, the API of
// netstandard2.0, no symbols defined) for LibTorchSharpCompatibility.targets, in this repository and in the package.
#nullable enable
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// TorchSharp's libLibTorchSharp.so needs GLIBCXX_3.4.32, which libstdc++ of Debian 12 and Ubuntu 22.04 lacks, for the sake of
/// one symbol that nothing in it refers to. Marking that need as weak lets the loader go on without it.
/// </summary>
internal static class ElfVersionNeeds
{
    /// <summary>The newest version that libstdc++ of Debian 12 and Ubuntu 22.04 defines.</summary>
    private static readonly Version NewestEverywhere = new Version(3, 4, 30);

    private const uint VersionNeedSection = 0x6ffffffe; // SHT_GNU_verneed
    private const byte WeakFlag = 2;                    // VER_FLG_WEAK

    /// <summary>A version of a symbol that an image wants from a library; <see cref="FlagsOffset"/> is where the image says how much.</summary>
    internal sealed class Need
    {
        internal Need(string library, string version, bool isWeak, int flagsOffset)
        {
            Library = library;
            Version = version;
            IsWeak = isWeak;
            FlagsOffset = flagsOffset;
        }

        internal string Library { get; }

        internal string Version { get; }

        internal bool IsWeak { get; }

        internal int FlagsOffset { get; }
    }

    /// <summary>
    /// Weakens in place each need of a libstdc++ version newer than 3.4.30, whatever libstdc++ this machine has: the image may run
    /// elsewhere, and where the version exists a weak need is met like a strong one. Does nothing to an image treated before.
    /// </summary>
    /// <returns>The versions weakened now.</returns>
    /// <exception cref="InvalidDataException">Not a 64-bit little-endian ELF image, or a damaged one.</exception>
    internal static IReadOnlyList<string> Weaken(byte[] image)
    {
        List<Need> tooNew = Read(image).Where(need => !need.IsWeak && need.Library == "libstdc++.so.6" && IsTooNew(need.Version)).ToList();
        foreach (Need need in tooNew)
            image[need.FlagsOffset] |= WeakFlag;
        return tooNew.Select(need => need.Version).ToList();
    }

    /// <summary>All version needs of the image, in its order.</summary>
    /// <exception cref="InvalidDataException">Not a 64-bit little-endian ELF image, or a damaged one.</exception>
    internal static IReadOnlyList<Need> Read(byte[] image)
    {
        if (image.Length < 64 || BitConverter.ToUInt32(image, 0) != 0x464C457F || image[4] != 2 || image[5] != 1)
            throw new InvalidDataException("not a 64-bit little-endian ELF image");
        try
        {
            return Walk(image).ToList();
        }
        catch (Exception e) when (e is ArgumentException || e is IndexOutOfRangeException || e is OverflowException)
        {
            throw new InvalidDataException("a damaged ELF image: a table points outside the file", e);
        }
    }

    private static bool IsTooNew(string version)
    {
        string[] parts = version.Split('_');
        return parts.Length == 2 && parts[0] == "GLIBCXX" && Version.TryParse(parts[1], out Version? number) && number > NewestEverywhere;
    }

    // Elf64_Shdr:      u32 name, type; u64 flags, addr, offset, size; u32 link, info; ...
    // Elf64_Verneed:   u16 version, count; u32 file, aux, next   (the two last relative to the record, 0 ends the chain)
    // Elf64_Vernaux:   u32 hash; u16 flags, other; u32 name, next
    private static IEnumerable<Need> Walk(byte[] image)
    {
        long sections = BitConverter.ToInt64(image, 0x28);
        int sectionSize = U16(image, 0x3A), sectionCount = U16(image, 0x3C);
        if (sections <= 0 || sectionSize < 64 || sectionCount == 0)
            throw new InvalidDataException("an ELF image without section headers");

        for (int i = 0; i < sectionCount; i++)
        {
            long section = sections + (long)i * sectionSize;
            if (U32(image, section + 4) != VersionNeedSection)
                continue;
            long link = U32(image, section + 0x28);
            if (link >= sectionCount)
                throw new InvalidDataException("a damaged ELF image: version needs without names");
            long names = BitConverter.ToInt64(image, checked((int)(sections + link * sectionSize + 0x18)));
            long record = BitConverter.ToInt64(image, checked((int)(section + 0x18)));
            for (long left = U32(image, section + 0x2C); left > 0; left--)
            {
                string library = Text(image, names + U32(image, record + 4));
                long entry = record + U32(image, record + 8);
                for (int entriesLeft = U16(image, record + 2); entriesLeft > 0; entriesLeft--)
                {
                    int flags = checked((int)entry + 4);
                    yield return new Need(library, Text(image, names + U32(image, entry + 8)), (image[flags] & WeakFlag) != 0, flags);
                    long nextEntry = U32(image, entry + 12);
                    if (nextEntry == 0)
                        break;
                    entry += nextEntry;
                }

                long next = U32(image, record + 12);
                if (next == 0)
                    break;
                record += next;
            }
        }
    }

    private static int U16(byte[] image, long offset) => BitConverter.ToUInt16(image, checked((int)offset));

    private static uint U32(byte[] image, long offset) => BitConverter.ToUInt32(image, checked((int)offset));

    private static string Text(byte[] image, long offset)
    {
        int start = checked((int)offset), end = Array.IndexOf(image, (byte)0, start);
        return end < 0 ? throw new ArgumentException("unterminated") : Encoding.ASCII.GetString(image, start, end - start);
    }
}

#if !NET
/// <summary>Writes a copy of libLibTorchSharp.so whose need of a too new libstdc++ is weak.</summary>
public sealed class WeakenLibTorchSharp : Microsoft.Build.Utilities.Task
{
    [Microsoft.Build.Framework.Required]
    public string Source { get; set; } = "";

    [Microsoft.Build.Framework.Required]
    public string Destination { get; set; } = "";

    /// <summary>False when the file needs nothing: then there is no copy, and the original serves.</summary>
    [Microsoft.Build.Framework.Output]
    public bool Weakened { get; set; }

    public override bool Execute()
    {
        try
        {
            byte[] image = File.ReadAllBytes(Source);
            IReadOnlyList<string> versions = ElfVersionNeeds.Weaken(image);
            Weakened = versions.Count > 0;
            if (!Weakened || IsWritten(image))
                return true;
            Directory.CreateDirectory(Path.GetDirectoryName(Destination)!);
            string temporary = Destination + "." + Guid.NewGuid().ToString("N");
            File.WriteAllBytes(temporary, image);
            // The copy is as long as the original. Were it as old too, an incremental build would keep an original that is already
            // in the output folder.
            File.SetLastWriteTimeUtc(temporary, File.GetLastWriteTimeUtc(Source).AddSeconds(2));
            File.Delete(Destination);
            File.Move(temporary, Destination);
            Log.LogMessage("{0}: weakened {1}", Destination, string.Join(", ", versions));
        }
        catch (InvalidDataException e)
        {
            Log.LogError("{0} is {1}; ContrastiveML cannot make it loadable on Debian 12 and Ubuntu 22.04. "
                + "Set the property DisableLibTorchSharpPatch=true to use the file as it is.", Source, e.Message);
        }
        catch (Exception e) when (e is IOException || e is UnauthorizedAccessException)
        {
            Log.LogErrorFromException(e);
        }

        return !Log.HasLoggedErrors;
    }

    private bool IsWritten(byte[] image) => File.Exists(Destination) && File.ReadAllBytes(Destination).SequenceEqual(image);
}
#endif
